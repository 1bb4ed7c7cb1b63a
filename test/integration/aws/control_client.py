"""The control plane's part of the published synchronous client. Exits with an AssertionError at the first broken promise."""

import os

from hopx_ai import Sandbox

URL = os.environ["BULKHEAD_URL"]

sandbox = Sandbox.create("base", base_url=URL)
assert sandbox.get_info().status == "running"
assert sandbox.sandbox_id in [one.sandbox_id for one in Sandbox.list(base_url=URL)]
assert sandbox.sandbox_id in [one.sandbox_id for one in Sandbox.iter(base_url=URL)]
assert "base" in [one.name for one in Sandbox.list_templates(base_url=URL)]
assert Sandbox.get_template("base", base_url=URL).name == "base"
sandbox.set_timeout(600)
assert 500 < sandbox.get_time_to_expiry() <= 600
before = sandbox.get_token()
sandbox.refresh_token()
assert sandbox.get_token() != before
sandbox.pause()
assert sandbox.get_info().status == "paused"
again = Sandbox.connect(sandbox.sandbox_id, base_url=URL)
assert again.get_info().status == "running"
sandbox.kill()
assert sandbox.sandbox_id not in [one.sandbox_id for one in Sandbox.list(base_url=URL)]
print("every promise kept")
