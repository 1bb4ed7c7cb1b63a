import { parentPort, workerData } from "node:worker_threads";
import dynalite from "dynalite";
import * as z from "zod";

/** Thread that runs dynalite: its work never holds up requests and heartbeats of the platform. Says "ready", then serves until told to close. */
const { path, socketPath } = z.object({ path: z.string(), socketPath: z.string() }).parse(workerData);

const server = dynalite({ path, createTableMs: 0 });
server.listen(socketPath, () => parentPort?.postMessage("ready"));
parentPort?.once("message", () => {
  server.closeAllConnections();
  server.close(() => parentPort?.close());
});
