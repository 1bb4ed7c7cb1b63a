import { expectTypeOf, it } from "vitest";
import type { Platform } from "#core/platform.ts";
import type { ControlPlane } from "#http/control-plane.ts";

it("the core's platform is what the routes call", () => {
  expectTypeOf<Platform>().toExtend<ControlPlane>();
});
