// A platform to be killed: launches two instances with the data directory in argv[2], says so, and stays.
import { aPlatform, aRequest, ask, runInside } from "./support.ts";

const platform = await aPlatform({ dataDir: process.argv[2] ?? "" });
for (const request of [aRequest(), aRequest()]) {
  const launched = await platform.compute.launch(request);
  await ask(launched, "/");
  await runInside(launched, "setsid sleep 1000 >/dev/null 2>&1 & echo content >file");
}
process.stdout.write("ready\n");
setInterval(() => {}, 1000);
