import { describe, expect, it } from "vitest";
import type { EgressPages, EgressRow } from "#cli/egress/rows.ts";
import { amount } from "#cli/egress/table.ts";
import { Interrupted } from "#cli/interrupts.ts";
import { now, setUp } from "../support.ts";
import { aRow, open, pagesOf } from "./rows.ts";

const denied = { decision: "deny", rule: null, inside: null, reason: "not on the sandbox's allow-list" } as const;

describe("bulkhead egress list", () => {
  it("prints a table", async () => {
    const rows = [
      aRow("c3", { ...open, host: "2001:db8::1", protocol: "socks5", inside: "opaque", rule: null }),
      aRow("c2", { ...denied, host: "evil\u001b[2J.example", port: 80, method: "GET", sandbox_id: null }),
      aRow("c1", { secrets: ["TOKEN"] }),
    ];
    const { out } = await setUp({ controlPlane: { egress: pagesOf(rows) } }).run("egress", "list");
    const lines = out
      .trimEnd()
      .split("\n")
      .map((line) => line.split(/ {2,}/));
    expect(lines).toEqual([
      ["TIME (UTC)", "SANDBOX", "WHAT", "PROTOCOL", "TARGET", "METHOD", "IN", "OUT", "TOOK", "WHY"],
      [
        "11-22 11:59:00",
        rows[0]?.sandbox_id,
        "allow",
        "socks5/opaque",
        "[2001:db8::1]:443",
        "-",
        "-",
        "-",
        "open",
        "on the allow-list",
      ],
      ["11-22 11:59:01", "-", "deny", "connect", "evil\ufffd[2J.example:80", "GET", "-", "-", "-", denied.reason],
      [
        "11-22 11:59:01",
        rows[0]?.sandbox_id,
        "allow",
        "connect/tls",
        "pypi.org:443",
        "-",
        "812",
        "127K",
        "1.5s",
        "pypi.org, with TOKEN",
      ],
    ]);
    expect((await setUp().run("egress", "list")).out).toBe("No connections.\n");
  });

  it("asks for what the flags say, and for no more pages than needed", async () => {
    const asked: unknown[] = [];
    const set = setUp({
      controlPlane: {
        egress: pagesOf(
          ["a", "b", "c", "d", "e"].map((id) => aRow(id)),
          asked,
        ),
      },
    });
    const flags = ["--sandbox", "s1", "--host", "*.org", "--denied", "--since", "10m", "--limit", "3", "--json"];
    const { out } = await set.run("egress", "list", ...flags);
    expect((JSON.parse(out) as EgressRow[]).map(({ id }) => id)).toEqual(["a", "b", "c"]);
    const query = { sandbox: "s1", host: "*.org", decision: "deny", since: now - 600_000 };
    expect(asked).toEqual([
      { ...query, limit: 3, cursor: null },
      { ...query, limit: 1, cursor: "2" },
    ]);
  });

  it.each([
    ["--limit", "0"],
    ["--since", "yesterday"],
    ["--since", "2026-99-99"],
  ])("refuses %s %s", async (...flags) => {
    await expect(setUp().run("egress", "list", ...flags)).rejects.toMatchObject({ code: "commander.invalidArgument" });
  });
});

describe("bulkhead egress tail", () => {
  const at = (second: number) => new Date(now + second * 1000).toISOString();
  const stays = aRow("stays", { ...open, started_at: at(0) });
  const rounds: readonly (readonly EgressRow[])[] = [
    [aRow("old", { ended_at: at(-1) })],
    [stays, aRow("new", { ended_at: at(1) }), aRow("old", { ended_at: at(-1) })],
    [stays, aRow("new", { ended_at: at(1) })],
    [aRow("stays", { ended_at: at(8) })],
  ];

  async function tail(...flags: readonly string[]) {
    const controller = new AbortController();
    const asked: unknown[] = [];
    let round = 0;
    const egress: EgressPages = async (query, limit) => {
      asked.push(query);
      return { data: limit === 1 ? [] : [...(rounds[round] ?? [])], next_cursor: null, at: now + round * 1000 };
    };
    const during = async <T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> => {
      await work(controller.signal);
      throw new Interrupted(130);
    };
    const sleep = async () => {
      round += 1;
      if (round === rounds.length) controller.abort();
    };
    const set = setUp({ controlPlane: { egress }, deps: { interrupts: { during }, sleep } });
    return { ...(await set.run("egress", "tail", ...flags)), asked };
  }

  it("shows what comes, once for each state, and ends well with Ctrl-C", async () => {
    const { out, exitCode, asked } = await tail("--json");
    const shown = out
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as EgressRow);
    expect(shown.map(({ id, state }) => `${id} ${state}`)).toEqual(["new closed", "stays open", "stays closed"]);
    expect(exitCode).toBe(0);
    expect(asked.slice(1)).toMatchObject([
      { since: now - 5_000 },
      { since: now - 5_000 },
      { since: now - 4_000 },
      { since: now - 3_000 },
    ]);
  });

  it("begins earlier when told to, in columns", async () => {
    const { out, asked } = await tail("--since", "2s", "--denied");
    const lines = out.trimEnd().split("\n");
    expect(lines).toHaveLength(5);
    expect(lines[0]).toMatch(/^TIME \(UTC\)/);
    expect(lines[1]).toMatch(/^11-22 11:59:59 +1763382095i648uu1oab +allow +connect\/tls +pypi.org:443 /);
    expect(asked[0]).toMatchObject({ since: now - 2_000, decision: "deny" });
  });

  it("ends as it was ended by anything else", async () => {
    const during = () => Promise.reject(new Interrupted(143));
    const set = setUp({ deps: { interrupts: { during } } });
    await expect(set.run("egress", "tail")).rejects.toMatchObject({ exitCode: 143 });
  });
});

it.each([
  [0, "0"],
  [999, "999"],
  [1023, "1.0K"],
  [10_240, "10K"],
  [5_000_000, "4.8M"],
  [3 * 2 ** 40, "3072G"],
])("%d bytes are %s", (bytes, text) => {
  expect(amount(bytes)).toBe(text);
});
