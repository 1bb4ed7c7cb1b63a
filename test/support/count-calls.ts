interface Counted {
  readonly middlewareStack: {
    add(
      middleware: <Args, Answer>(
        next: (args: Args) => Answer,
        context: { readonly commandName?: string },
      ) => (args: Args) => Answer,
      options: { readonly step: "initialize"; readonly name: string; readonly override: boolean },
    ): void;
  };
}

/** Names of the commands that a client of the AWS SDK sends from now on. Another count of the same client takes the place of this one. */
export function countCalls(client: Counted): string[] {
  const sent: string[] = [];
  client.middlewareStack.add(
    (next, context) => (args) => {
      sent.push(context.commandName ?? "unknown");
      return next(args);
    },
    { step: "initialize", name: "countCalls", override: true },
  );
  return sent;
}
