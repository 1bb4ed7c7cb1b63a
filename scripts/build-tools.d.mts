/** Programs for the Node.js inside sandboxes, name to content. */
export declare function nodeTools(): Promise<Readonly<Record<string, string>>>;
