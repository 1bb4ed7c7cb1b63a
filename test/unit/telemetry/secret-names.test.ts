import { describe, expect, it } from "vitest";
import { looksSecret, secretsAmong } from "#telemetry/secret-names.ts";

describe("a variable's name", () => {
  it.each([
    "OPENAI_API_KEY",
    "GITHUB_TOKEN",
    "DB_PASSWORD",
    "dbPassword",
    "PGPASSWORD",
    "MYSQL_PWD",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "client_secret",
    "SLACK_WEBHOOK",
    "GOOGLE_CREDENTIALS",
    "SENTRY_DSN",
    "APIKEY",
    "STRIPE_KEY",
    "TOKENS",
  ])("%s says that its value is a secret", (name) => {
    expect(looksSecret(name)).toBe(true);
  });

  it.each([
    "PORT",
    "NODE_ENV",
    "PATH",
    "HOME",
    "AUTHOR",
    "KEYBOARD",
    "MONKEY_COUNT",
    "AWS_ACCESS_KEY_ID",
    "TOKEN_URL",
    "SECRET_NAME",
    "SSH_KEY_PATH",
    "PUBLISHABLE",
    "COMPASS",
  ])("%s does not", (name) => {
    expect(looksSecret(name)).toBe(false);
  });
});

describe("the secrets among variables", () => {
  it("are those known to be, those that look it, and passwords in addresses", () => {
    const variables = {
      PLAIN: "1",
      API_TOKEN: "2",
      STORED: "3",
      DATABASE_URL: "postgres://me:pass%40word@db/x",
      CACHE: "redis://:hunter22@c",
    };
    expect(secretsAmong(variables, ["STORED", "MISSING"])).toEqual({
      API_TOKEN: "2",
      STORED: "3",
      "DATABASE_URL.password": "pass%40word",
      "DATABASE_URL.password.plain": "pass@word",
      "CACHE.password": "hunter22",
    });
  });

  it("may have any name that a variable can have", () => {
    const variables = JSON.parse('{"__proto__": "1", "constructor": "2"}') as Record<string, string>;
    expect(Object.entries(secretsAmong(variables, ["__proto__", "constructor"]))).toEqual(Object.entries(variables));
  });
});
