import * as valid from "./validators.ts";
import { variable } from "./variable.ts";

/** Whether this process issues, where the token and the account's credentials live, and when a token is renewed. */
export const tokenVariables = {
  PRESTO_ROLE: variable(valid.role, {
    fallback: "proxy",
    example: "all",
    meaning:
      "`proxy`: serves calls, cannot issue tokens, and refuses to hold the account's credentials. `rotator`: issues and renews the token, serves no calls. `all`: does both.",
  }),
  PRESTO_STORE: variable(valid.storeAddress, {
    fallback: "env:",
    example: "file:/var/lib/presto/token",
    meaning:
      "Where the token lives: `env:` (in `PRESTO_TOKEN` or `PRESTO_TOKEN_FILE`) or `file:/path` (a sealed file: needed by the roles that issue, which fill it; for `proxy` it is filled by another process on this host, or by `presto-sidecar token import`).",
  }),
  PRESTO_TOKEN: variable(valid.token, {
    secret: true,
    example: "the-token-as-presto-gave-it",
    meaning: "The token itself, for `env:`.",
  }),
  PRESTO_TOKEN_FILE: variable(valid.path, {
    example: "/run/secrets/presto/token",
    meaning: "A file that holds the token, for `env:`; read again when it changes.",
  }),
  PRESTO_STORE_KEY: variable(valid.storeKeys, {
    secret: true,
    example: "$(presto-sidecar keygen)",
    meaning:
      "Base64 of 32 bytes (`presto-sidecar keygen`), several separated by commas: the first seals, all open. Needed by `file:`, of `PRESTO_STORE` and of `PRESTO_CREDENTIALS`.",
  }),
  PRESTO_STORE_KEY_FILE: variable(valid.path, {
    example: "/run/secrets/presto/store-key",
    meaning: "A file that holds the same; read again when it changes.",
  }),
  PRESTO_EMAIL: variable(valid.email, {
    secret: true,
    example: "sidecar@institution.example",
    meaning: "E-mail address of the account, for roles that issue.",
  }),
  PRESTO_EMAIL_FILE: variable(valid.path, {
    example: "/run/secrets/presto/email",
    meaning: "A file that holds the same; read again when it changes.",
  }),
  PRESTO_PASSWORD: variable(valid.password, {
    secret: true,
    example: "the-password-of-the-account",
    meaning: "Password of the account, for roles that issue.",
  }),
  PRESTO_PASSWORD_FILE: variable(valid.path, {
    example: "/run/secrets/presto/password",
    meaning: "A file that holds the same (UTF-8); read again when it changes.",
  }),
  PRESTO_CREDENTIALS: variable(valid.credentialAddress, {
    example: "file:/var/lib/presto/credentials",
    meaning:
      "`file:/path`: a sealed file that holds e-mail and password, instead of the four above; filled by `presto-sidecar credentials import`, and the only form that `presto-sidecar password reset` can write to.",
  }),
  PRESTO_TOKEN_NAME: variable(valid.tokenName, {
    fallback: "presto-sidecar",
    example: "presto-sidecar",
    meaning: "Name that a token is asked for with: 1 to 255 characters of visible ASCII.",
  }),
  PRESTO_TOKEN_DAYS: variable(valid.days, {
    fallback: "90",
    example: "30",
    meaning: "Days of life that a token is asked for with, 1 to 3650; rounded up to the next 00:00 UTC.",
  }),
  PRESTO_RENEW: variable(valid.renew, {
    fallback: "auto",
    example: "manual",
    meaning:
      "`manual`: never issues by itself, only when a person asks for it (a change freeze, a stand-by site).",
  }),
  PRESTO_RENEW_AT: variable(valid.fraction, {
    fallback: "0.67",
    example: "0.5",
    meaning: "Fraction of a token's life after which it is renewed, with jitter; above 0, at most 1.",
  }),
  PRESTO_RENEW_WINDOW: variable(valid.dayWindow, {
    fallbackNote: "any time",
    example: "01:00-04:00",
    meaning:
      "Hours of the day (UTC) in which a token is renewed by plan, unless it would die before they come; `22:00-02:00` goes over midnight.",
  }),
};
