// health.mjs PORT: exit code 0 when the process beside it answers. The image has no shell and no curl.
import { get } from "node:http";

const fail = () => process.exit(1);
get(`http://127.0.0.1:${process.argv[2]}/health`, { timeout: 4000 }, (answer) => {
  process.exit(answer.statusCode === 200 ? 0 : 1);
})
  .on("timeout", fail)
  .on("error", fail);
