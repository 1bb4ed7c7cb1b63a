import { ensureMoto } from "../../../scripts/ensure-moto.mjs";
import { startPythonServer } from "../python-server.ts";

/** A moto server of one's own: AWS's wire protocols on this machine. What it does otherwise than AWS stands in aws-facts §11. */
export interface Moto {
  /** http://127.0.0.1:port */
  readonly endpoint: string;
  /** Empties every service and sets the transitions again. */
  reset(): Promise<void>;
  stop(): Promise<void>;
}

const program = `
from moto.server import main
main(["-H", "127.0.0.1", "-p", "0"])
`;

/** Installs moto if it is not there yet (a minute or two, once). @throws Error that says what to do when it cannot */
export async function startMoto(): Promise<Moto> {
  const python = await ensureMoto((line) => console.error(line));
  const server = await startPythonServer({ name: "moto", python, program });
  const { endpoint } = server;
  const moto: Moto = {
    endpoint,
    async reset() {
      await post(`${endpoint}/moto-api/reset`);
      // Else each DescribeTasks would move a task on towards its end.
      const transition = { progression: "manual", times: 100_000 };
      await post(`${endpoint}/moto-api/state-manager/set-transition`, { model_name: "ecs::task", transition });
    },
    stop: () => server.stop(),
  };
  try {
    await moto.reset();
    return moto;
  } catch (error) {
    await moto.stop();
    throw error;
  }
}

async function post(url: string, body?: unknown): Promise<void> {
  const init =
    body === undefined ? {} : { body: JSON.stringify(body), headers: { "content-type": "application/json" } };
  const answer = await fetch(url, { method: "POST", signal: AbortSignal.timeout(30_000), ...init });
  if (!answer.ok) throw new Error(`moto answered ${answer.status} to ${url}: ${await answer.text()}`);
}
