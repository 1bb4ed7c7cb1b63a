import { expect, it } from "vitest";
import type { Alert } from "#core/alerts/model.ts";
import { verifyWebhook } from "#core/webhooks/sign.ts";
import { makeAlertWebhook } from "#local/alerts-webhook.ts";
import { noopLogger } from "#telemetry/logger.ts";
import { makeVirtualClock } from "#test/support/virtual-clock.ts";

const alert = (id: string): Alert => ({
  ...{ id, projectId: "p1", rule: "decoy.used", severity: "critical", subject: "s1", title: "t", text: "x" },
  ...{ firstAt: 0, lastAt: 0, count: 1, acknowledgedAt: null, acknowledgedBy: null },
});

it("posts each alert signed, one after the other, until it is taken or was tried six times", async () => {
  const clock = makeVirtualClock();
  const posts: { readonly id: string; readonly valid: boolean; readonly at: number }[] = [];
  let status = 500;
  const post: typeof fetch = async (_, init) => {
    const body = typeof init?.body === "string" ? init.body : "";
    const header = new Headers(init?.headers).get("bulkhead-signature") ?? "";
    const { id } = JSON.parse(body) as { id: string };
    posts.push({ id, valid: verifyWebhook("secret", body, header, clock.now() / 1000), at: clock.now() });
    return new Response(null, { status });
  };
  const webhook = makeAlertWebhook({ url: "http://receiver.test/", secret: "secret", clock, logger: noopLogger, post });
  webhook.notify(alert("a"));
  webhook.notify(alert("b"));
  await clock.advance(400_000);
  expect(posts.filter(({ id }) => id === "a")).toHaveLength(6);
  expect(posts.every(({ valid }) => valid)).toBe(true);
  status = 200;
  await clock.advance(400_000);
  expect(posts.at(-1)?.id).toBe("b");
  const count = posts.length;
  for (let i = 0; i < 2_000; i += 1) webhook.notify(alert(`c${i}`));
  await clock.advance(1_000);
  expect(posts.length - count).toBeLessThanOrEqual(501);
  webhook.close();
  webhook.notify(alert("d"));
  await clock.advance(1_000);
  expect(posts.at(-1)?.id).not.toBe("d");
});
