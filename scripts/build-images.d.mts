/** Puts together what the images are built from: `<dist>/images/<name>`, with the agent of `<dist>`. @default dist of the repository */
export declare function buildImages(options?: { readonly dist?: string }): Promise<void>;

/** The edge image's files by name: gateway.mjs, egress-proxy.mjs and what the image is made with. */
export declare function edgeFiles(): Promise<Readonly<Record<string, string>>>;
