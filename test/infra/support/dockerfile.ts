export interface Instruction {
  readonly name: string;
  /** The rest, its line continuations joined. */
  readonly text: string;
}

export interface Stage {
  /** As written, with the values of the ARGs before the first FROM. */
  readonly image: string;
  readonly name: string | undefined;
  readonly instructions: readonly Instruction[];
}

/** Stages of a Dockerfile, as far as ours go: no heredocs, no parser directives. @throws Error for an instruction before the first stage */
export function stagesOf(dockerfile: string): readonly Stage[] {
  const stages: { image: string; name: string | undefined; instructions: Instruction[] }[] = [];
  const args = new Map<string, string>();
  for (const { name, text } of instructionsOf(dockerfile)) {
    if (name === "FROM") {
      const [image = "", , stage] = text.split(/\s+/);
      stages.push({ image: filled(image, args), name: stage, instructions: [] });
      continue;
    }
    const stage = stages.at(-1);
    if (stage !== undefined) stage.instructions.push({ name, text });
    else if (name === "ARG") args.set(text.slice(0, text.indexOf("=")), text.slice(text.indexOf("=") + 1));
    else throw new Error(`${name} before the first FROM`);
  }
  return stages;
}

function instructionsOf(dockerfile: string): Instruction[] {
  const lines = dockerfile.split("\n").filter((line) => !/^\s*#/.test(line));
  return lines
    .join("\n")
    .replaceAll(/\\\n\s*/g, "")
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => {
      const [name = ""] = line.split(" ");
      return { name: name.toUpperCase(), text: line.slice(name.length).trim() };
    });
}

function filled(image: string, args: ReadonlyMap<string, string>): string {
  return image.replaceAll(/\$\{(\w+)\}/g, (_, name: string) => args.get(name) ?? "");
}

/** Sources of a COPY from the build context; none for one from another stage. */
export function contextSources({ name, text }: Instruction): readonly string[] {
  const words = text.split(/\s+/);
  if (name !== "COPY" || words.some((word) => word.startsWith("--from="))) return [];
  return words.filter((word) => !word.startsWith("--")).slice(0, -1);
}
