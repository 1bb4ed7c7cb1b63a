/** Words of a variable's name that say that its value is a secret. */
const secretWords =
  /^(tokens|secrets|pass|passphrase|pwd|pat|keys?|apikeys|accesskey|secretkey|privatekey|creds?|auth|authorization|bearer|cookies?|dsn|jwt|pin|otp|salt|hmac|signature|webhook)$|(password|passwords|passwd|secret|token|apikey|credentials?)$/;
/** Words beside which a key is no secret. */
const publicWords =
  /^(public|pub|publishable|id|ids|name|names|file|path|dir|url|uri|endpoint|host|port|type|algorithm|ttl|expiry)$/;

/** Whether a variable of this name is taken for a secret: OPENAI_API_KEY and dbPassword are, PORT and AWS_ACCESS_KEY_ID are not. */
export function looksSecret(name: string): boolean {
  const words = name
    .replaceAll(/([a-z0-9])([A-Z])/g, "$1_$2")
    .toLowerCase()
    .split(/[^a-z0-9]+/);
  return words.some((word) => secretWords.test(word)) && !publicWords.test(words.at(-1) ?? "");
}

/**
 * The values among variables that are secrets: those of names that are known to be, those whose names look like one, and passwords in
 * addresses such as postgres://user:password@host, whatever their names.
 */
export function secretsAmong(
  variables: Readonly<Record<string, string>>,
  known: readonly string[] = [],
): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(variables).flatMap(([name, value]) => [
      ...(known.includes(name) || looksSecret(name) ? [[name, value] as const] : []),
      ...passwordsIn(value).map((password, at) => [`${name}.password${at === 0 ? "" : ".plain"}`, password] as const),
    ]),
  );
}

/** As it stands there, and what it stands for. */
function passwordsIn(value: string): readonly string[] {
  const [, password] = /^[a-z][a-z0-9+.-]{0,31}:\/\/[^/\s:@]*:([^/\s@]+)@/i.exec(value) ?? [];
  if (password === undefined) return [];
  try {
    return [...new Set([password, decodeURIComponent(password)])];
  } catch {
    return [password];
  }
}
