/** Puts together what the images are built from: `<dist>/images/<name>`, with the agent of `<dist>`. @default dist of the repository */
export declare function buildImages(options?: { readonly dist?: string }): Promise<void>;
