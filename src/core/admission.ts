import type { LaunchAdmission } from "./ports.ts";

/** Where nothing limits the rate of launches. */
export const openAdmission: LaunchAdmission = { admit: () => Promise.resolve({ waitMs: 0 }) };
