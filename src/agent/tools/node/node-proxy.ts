/**
 * Preloaded into every Node.js of a sandbox (NODE_OPTIONS): makes `fetch`, node:http and node:https go through the proxy. Node.js before
 * 22.21 cannot do that by itself; later ones can (NODE_USE_ENV_PROXY=1), but then each start of them takes twenty milliseconds longer, 22
 * writes a warning, none says why something was refused, and agents that programs make go past the proxy all the same. Loads nothing
 * until something goes out: every start of Node pays for what stands here.
 */
import { EventEmitter } from "node:events";
import { createRequire } from "node:module";
import type { Dispatcher } from "undici";
import type { CreateConnection, throughProxy } from "./node-agents.ts";

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
const load = createRequire(__filename);
const dispatcherKey = Symbol.for("undici.globalDispatcher.1");

/** undici looks here for what sends its requests, when it is first used; its own setGlobalDispatcher overwrites it. */
function hookFetch(): void {
  const define = (value: unknown) =>
    Object.defineProperty(globalThis, dispatcherKey, { value, writable: true, enumerable: false, configurable: true });
  Object.defineProperty(globalThis, dispatcherKey, {
    configurable: true,
    enumerable: false,
    get() {
      const made = (load("./node-fetch.cjs") as { makeFetchDispatcher(): Dispatcher }).makeFetchDispatcher();
      define(made);
      return made;
    },
    set: define,
  });
}

/** Later versions have another undici, and a function that makes it use the proxy. */
function hookLaterFetch(): void {
  const { fetch } = globalThis;
  let ready = false;
  globalThis.fetch = (...args) => {
    if (!ready) (load("node:http") as { setGlobalProxyFromEnv?(): void }).setGlobalProxyFromEnv?.();
    ready = true;
    return fetch(...args);
  };
}

interface AgentClass {
  createConnection: CreateConnection;
}
type Init = (this: unknown, ...args: unknown[]) => void;
const emitter: { init: Init } = EventEmitter as unknown as { init: Init };

/**
 * node:http and node:https make an agent as they are loaded, by whatever import, and agents are event emitters: their classes are hooked
 * then. Loading the two modules here instead would take five milliseconds of every start.
 */
function hookAgents(): void {
  const before = emitter.init;
  const hooked = new Set<"http:" | "https:">();
  function init(this: unknown, ...args: unknown[]): void {
    before.apply(this, args);
    if (hooked.size === 2 || !isAgent(this)) return;
    const found = agentClass(this);
    if (found === undefined || hooked.has(found.protocol)) return;
    hooked.add(found.protocol);
    hookAgent(found.prototype, found.protocol);
    if (hooked.size === 2 && emitter.init === init) emitter.init = before;
  }
  emitter.init = init;
}

function hookAgent(prototype: AgentClass, protocol: "http:" | "https:"): void {
  const direct = prototype.createConnection;
  let connect: ReturnType<typeof throughProxy> | undefined;
  prototype.createConnection = function createConnection(...args) {
    connect ??= (load("./node-agents.cjs") as { throughProxy: typeof throughProxy }).throughProxy(direct, protocol);
    return connect.call(this, this.createConnection !== createConnection, ...args);
  };
}

function isAgent(made: unknown): made is AgentClass {
  return typeof made === "object" && made !== null && "createConnection" in made && "addRequest" in made;
}

/** The class of Node's own that an agent is of. Only the one of node:https keeps TLS sessions. */
function agentClass(agent: object): { prototype: AgentClass; protocol: "http:" | "https:" } | undefined {
  for (let at: unknown = Object.getPrototypeOf(agent); isAgent(at); at = Object.getPrototypeOf(at)) {
    if (Object.hasOwn(at, "_cacheSession")) return { prototype: at, protocol: "https:" };
    if (Object.hasOwn(at, "addRequest")) return { prototype: at, protocol: "http:" };
  }
  return undefined;
}

if (major >= 18) hookAgents();
if (major > 24) hookLaterFetch();
// What is there already is Node's own, which was asked to use the proxy.
else if ((major > 20 || (major === 20 && minor >= 19)) && !(dispatcherKey in globalThis)) hookFetch();
