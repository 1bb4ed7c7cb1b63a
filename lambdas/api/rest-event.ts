import type { APIGatewayProxyEvent, APIGatewayProxyResult } from "aws-lambda";

/** What the app is given beside the request. */
export interface RestBindings {
  readonly requestContext: APIGatewayProxyEvent["requestContext"];
}

/** What a URL would read as another path: ways up, slashes of other kinds, the beginning of a query, what it drops without a word. */
const otherPath = /(^|\/)(\.|%2e){1,2}(\/|$)|[\\?#]|\p{Cc}/iu;
/** Where nothing is. */
const nowhere = "/";

/**
 * A REST API's event as a web request. The path is the one the caller used, with the stage: `/v1/sandboxes`. By it API Gateway has
 * decided who may come in, so one that a URL reads as another path leads nowhere.
 */
export function toRequest(event: APIGatewayProxyEvent): Request {
  const { requestContext, httpMethod } = event;
  const path = otherPath.test(requestContext.path) ? nowhere : requestContext.path;
  const url = new URL(`https://${requestContext.domainName ?? "localhost"}${path}`);
  for (const [name, values] of Object.entries(event.multiValueQueryStringParameters ?? {})) {
    for (const value of values ?? []) url.searchParams.append(name, value);
  }
  const headers = new Headers();
  for (const [name, values] of Object.entries(event.multiValueHeaders)) {
    for (const value of values ?? []) headers.append(name, value);
  }
  const body = event.body === null ? null : event.isBase64Encoded ? Buffer.from(event.body, "base64") : event.body;
  return new Request(url, { method: httpMethod, headers, ...(body !== null && { body }) });
}

export async function fromResponse(response: Response): Promise<APIGatewayProxyResult> {
  return {
    statusCode: response.status,
    headers: Object.fromEntries(response.headers),
    body: await response.text(),
  };
}
