/** What goes wrong around calls of a port. `call` is e.g. "sandboxes.insert". Throwing in `after` is a crash whose effect happened. */
export interface Faults {
  before?(call: string): Promise<void> | void;
  after?(call: string): Promise<void> | void;
}

/** A port whose every asynchronous call passes `faults` first and last. */
export function withFaults<T extends object>(name: string, port: T, faults: Faults): T {
  return new Proxy(port, {
    get(target, property) {
      const member: unknown = Reflect.get(target, property);
      if (typeof member !== "function" || typeof property === "symbol") return member;
      const call = `${name}.${property}`;
      return (...args: readonly unknown[]): unknown => {
        const iterable = new Set(["listLive", "listAll"]).has(property);
        if (iterable) return iterate(() => invoke(member, target, args), call, faults);
        return attempt(() => invoke(member, target, args), call, faults);
      };
    },
  });
}

function invoke(member: CallableFunction, target: object, args: readonly unknown[]): unknown {
  return Reflect.apply(member, target, args);
}

async function attempt(work: () => unknown, call: string, faults: Faults): Promise<unknown> {
  await faults.before?.(call);
  const result = await work();
  await faults.after?.(call);
  return result;
}

async function* iterate(work: () => unknown, call: string, faults: Faults): AsyncGenerator {
  await faults.before?.(call);
  const items = work();
  if (typeof items === "object" && items !== null && Symbol.asyncIterator in items) {
    yield* items as AsyncIterable<unknown>;
  }
  await faults.after?.(call);
}
