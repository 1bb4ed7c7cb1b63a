import type { Clock } from "../ports.ts";
import { makeBursts } from "./bursts.ts";
import { makeDenials } from "./denials.ts";
import type { Finding } from "./model.ts";
import type { Signal } from "./signals.ts";

const day = (at: number) => new Date(at).toISOString().slice(0, 10);
const from = (sourceIp: string | null) => sourceIp ?? "an unknown address";

/** What is worth an alert among signals: most are by themselves, some only when there are many. */
export function makeFinder(clock: Pick<Clock, "now">): (signal: Signal) => readonly Finding[] {
  const refusals = makeBursts(clock, { windowMs: 60_000, perSource: 20, overall: 100 });
  const denials = makeDenials(clock);

  function refused(source: string): readonly Finding[] {
    const { ofSource, overall } = refusals.hit(source);
    const rule = { rule: "auth.refused", projectId: null, sandboxId: null } as const;
    if (ofSource) return [{ ...rule, subject: source, seen: `${source} was refused 20 times within a minute.` }];
    const seen = "100 requests were refused within a minute, from many addresses.";
    return overall ? [{ ...rule, subject: "everywhere", seen }] : [];
  }

  return (signal) => {
    const { type: rule } = signal;
    switch (signal.type) {
      case "auth.refused":
        return refused(from(signal.sourceIp));
      case "key.dead_used": {
        const { projectId, keyId, state, sourceIp } = signal;
        const seen = `Key ${keyId}, which is ${state}, was shown by ${from(sourceIp)}.`;
        return [{ rule, projectId, subject: keyId, sandboxId: null, seen }];
      }
      case "decoy.used": {
        const { projectId, sandboxId, sourceIp } = signal;
        const seen = `The decoy key of sandbox ${sandboxId} was shown by ${from(sourceIp)}.`;
        return [{ rule, projectId, subject: sandboxId, sandboxId, seen }];
      }
      case "key.overdue": {
        const { projectId, keyId, rotateAt } = signal;
        const seen = `Key ${keyId} was to be replaced by ${day(rotateAt)} and is in use.`;
        return [{ rule, projectId, subject: keyId, sandboxId: null, seen }];
      }
      case "egress.denied": {
        const { projectId, sandboxId, host } = signal;
        const seen = `Sandbox ${sandboxId} was refused 50 connections or more within a minute, the last one to ${host.slice(0, 253)}.`;
        return denials.denied(sandboxId) ? [{ rule, projectId, subject: sandboxId, sandboxId, seen }] : [];
      }
      case "instance.leaked": {
        const seen = `A sweep ended instance ${signal.instanceId}.`;
        return [{ rule, projectId: null, subject: signal.instanceId, sandboxId: null, seen }];
      }
      case "audit.broken": {
        const seen = `Event ${signal.seq} of project ${signal.projectId}: ${signal.what}.`;
        return [{ rule, projectId: signal.projectId, subject: signal.projectId, sandboxId: null, seen }];
      }
      case "spend.near": {
        const { projectId, spentUsd, capUsd } = signal;
        const seen = `Project ${projectId} has spent $${spentUsd.toFixed(2)} of $${capUsd.toFixed(2)}.`;
        return [{ rule, projectId, subject: projectId, sandboxId: null, seen }];
      }
    }
  };
}
