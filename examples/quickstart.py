# pip install hopx-ai && python examples/quickstart.py, with `npm start` running in another terminal.
import os
import pathlib

from hopx_ai import Sandbox

base_url = os.environ.get("BULKHEAD_URL", "http://127.0.0.1:8080")
api_key = os.environ.get("HOPX_API_KEY") or pathlib.Path(".bulkhead/api-key").read_text().strip()

sandbox = Sandbox.create("base", env_vars={"GREETING": "hello"}, base_url=base_url, api_key=api_key)
try:
    sandbox.files.write("/workspace/name.txt", "world")
    result = sandbox.run_code("import os; print(os.environ['GREETING'], open('name.txt').read())")
    print(result.stdout.strip())
finally:
    sandbox.kill()
