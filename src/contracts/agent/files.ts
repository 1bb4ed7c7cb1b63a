import * as z from "zod";

/** A path as sent; whether it lies inside the allowed roots is decided where it is opened. */
export const filePathSchema = z
  .string()
  .min(1, "path is empty")
  .max(4096, "path is longer than 4096 characters")
  .refine((path) => !path.includes("\0"), "path contains a NUL character");

/** Query of /files/read, /files/download, /files/exists and /files/remove. */
export const filePathQuerySchema = z.object({ path: filePathSchema });

/** Query of /files/list. */
export const fileListQuerySchema = z.object({ path: filePathSchema.default("/workspace") });

/** How JSON.stringify writes a Node Buffer; JavaScript callers pass one by accident. */
const bufferSchema = z.object({
  type: z.literal("Buffer"),
  data: z.array(z.number().int().min(0).max(255)),
});

/** Octal text, never a number: 420 could be meant either way. Three or four digits without a prefix come out. */
const modeSchema = z
  .string()
  .regex(/^(0o)?[0-7]{3,4}$/, 'mode is octal, such as "0644"')
  .nullish()
  .transform((mode) => (mode ?? "0644").replace(/^0o/, ""));

/** `POST /files/write`. */
export const fileWriteRequestSchema = z.object({
  path: filePathSchema,
  content: z.union([z.string(), bufferSchema]),
  mode: modeSchema,
  overwrite: z
    .boolean()
    .nullish()
    .transform((overwrite) => overwrite ?? true),
  /** "base64": content is base64 of the bytes. Anything else the clients know is UTF-8 text. */
  encoding: z.enum(["base64", "utf-8", "utf8", "text"]).nullish(),
});
export type FileWriteRequest = z.infer<typeof fileWriteRequestSchema>;

/** `POST /files/mkdir`; parents are made. */
export const mkdirRequestSchema = z.object({ path: filePathSchema, mode: modeSchema });
export type MkdirRequest = z.infer<typeof mkdirRequestSchema>;

/** `GET /files/read`: text. `size` is bytes on disk. */
export const fileContentResponseSchema = z.object({
  content: z.string(),
  path: z.string(),
  size: z.number().int(),
  /** "base64" when the bytes are not UTF-8 text; else absent. */
  encoding: z.literal("base64").optional(),
});
export type FileContentResponse = z.infer<typeof fileContentResponseSchema>;

/** Answer of write, mkdir, upload and remove. */
export const fileResponseSchema = z.object({
  success: z.literal(true),
  path: z.string(),
  size: z.number().int(),
  message: z.string(),
  timestamp: z.string(),
});
export type FileResponse = z.infer<typeof fileResponseSchema>;

/** One entry, in both spellings that clients read (contract §4.3). `modified_time` is never empty (rule 27). */
export const fileInfoSchema = z.object({
  name: z.string(),
  path: z.string(),
  size: z.number().int(),
  is_directory: z.boolean(),
  is_dir: z.boolean(),
  modified_time: z.string(),
  modified: z.string(),
  /** As `ls -l` writes them: "-rw-r--r--". */
  permissions: z.string(),
  /** Octal: "0644". */
  mode: z.string(),
});
export type FileInfo = z.infer<typeof fileInfoSchema>;

export const fileListResponseSchema = z.object({
  files: z.array(fileInfoSchema),
  path: z.string(),
  count: z.number().int(),
});
export type FileListResponse = z.infer<typeof fileListResponseSchema>;

export const fileExistsResponseSchema = z.object({
  exists: z.boolean(),
  path: z.string(),
  is_directory: z.boolean().optional(),
});
export type FileExistsResponse = z.infer<typeof fileExistsResponseSchema>;
