import { type BuildOptions, build } from "esbuild";
import { functionBundling } from "../../infra/bundling.ts";

/** What `NodejsFunction` makes of the construct's bundling options, for esbuild's API. */
export function esbuildOptions(entryPoint: string, outfile: string): BuildOptions {
  const { format, target, minify, sourceMap, mainFields, banner, externalModules, esbuildArgs } = functionBundling;
  return {
    entryPoints: [entryPoint],
    outfile,
    bundle: true,
    platform: "node",
    format,
    target,
    minify,
    sourcemap: sourceMap,
    mainFields: [...mainFields],
    banner: { js: banner },
    external: [...externalModules],
    legalComments: esbuildArgs["--legal-comments"],
    // Messages stand in the error that is thrown.
    logLevel: "silent",
  };
}

/** Writes `<outfile>` the way a deploy would. @throws Error with esbuild's messages */
export async function bundle(entryPoint: string, outfile: string): Promise<void> {
  await build(esbuildOptions(entryPoint, outfile));
}
