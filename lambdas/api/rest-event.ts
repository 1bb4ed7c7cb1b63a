import type { APIGatewayProxyEvent, APIGatewayProxyResult } from "aws-lambda";

/** What the app is given beside the request. */
export interface RestBindings {
  readonly requestContext: APIGatewayProxyEvent["requestContext"];
}

/** A REST API's event as a web request. The path is the one the caller used, with the stage: `/v1/sandboxes`. */
export function toRequest(event: APIGatewayProxyEvent): Request {
  const { requestContext, httpMethod } = event;
  const url = new URL(`https://${requestContext.domainName ?? "localhost"}${requestContext.path}`);
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
