export type Setting =
  | { readonly kind: "plain" }
  /** `boundPort`: TLS to api.test on it is ended, with a brokered secret. */
  | { readonly kind: "ours"; readonly trusted: string; readonly boundPort: number };

export type ToProxy = "memory" | "rows";

export type FromProxy =
  | { readonly kind: "ready"; readonly path: string; readonly caPem: string }
  | { readonly kind: "memory"; readonly bytes: number }
  /** What the store has when everything is shipped. */
  | { readonly kind: "rows"; readonly rows: number };
