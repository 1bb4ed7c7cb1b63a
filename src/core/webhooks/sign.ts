import { createHmac, timingSafeEqual } from "node:crypto";

/** Header that a webhook is signed in. */
export const signatureHeader = "Bulkhead-Signature";

/** `t=<epoch seconds>,v1=<HMAC-SHA256 of "t.body", hex>`. */
export function signWebhook(secret: string, body: string, atSeconds: number): string {
  return `t=${atSeconds},v1=${mac(secret, body, atSeconds)}`;
}

/** Whether a body was signed with the secret within so many seconds of `nowSeconds`; what is older may be a repetition. */
export function verifyWebhook(
  secret: string,
  body: string,
  header: string,
  nowSeconds: number,
  toleranceSeconds = 300,
): boolean {
  const [, time = "", shown = ""] = /^t=(\d{1,12}),v1=([0-9a-f]{64})$/.exec(header) ?? [];
  if (shown === "" || Math.abs(nowSeconds - Number(time)) > toleranceSeconds) return false;
  return timingSafeEqual(Buffer.from(shown, "hex"), Buffer.from(mac(secret, body, Number(time)), "hex"));
}

function mac(secret: string, body: string, atSeconds: number): string {
  return createHmac("sha256", secret).update(`${atSeconds}.${body}`).digest("hex");
}
