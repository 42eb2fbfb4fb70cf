import {
  parseCredentialAddress,
  parseEmail,
  parseKeys,
  parseKubeconfig,
  parseLock,
  parseNamespace,
  parsePassword,
  parsePath,
  parsePodName,
  parseSkipVerify,
  parseStoreAddress,
  parseToken,
  parseVaultMethod,
  parseVaultMount,
  parseVaultText,
} from "./parse-secrets.ts";
import { parseDays, parseDayWindow, parseFraction, parseRenew, parseRole, parseTokenName } from "./parse.ts";
import { variable } from "./row-spec.ts";

/** Whether this process issues, where the token and the account's credentials live, and when a token is renewed. */
export const tokenVariables = {
  PRESTO_ROLE: variable({
    parse: parseRole,
    fallback: "proxy",
    example: "all",
    meaning:
      "`proxy`: serves calls, cannot issue tokens, and refuses to hold the account's credentials. `rotator`: issues and renews the token, serves no calls. `all`: does both.",
  }),
  PRESTO_STORE: variable({
    parse: parseStoreAddress,
    fallback: "env:",
    example: "file:/var/lib/presto/token",
    meaning:
      "Where the token lives: `env:` (in `PRESTO_TOKEN` or `PRESTO_TOKEN_FILE`), `file:/path` (a sealed file: needed by the roles that issue, which fill it; for `proxy` it is filled by another process on this host, or by `presto-sidecar token import`), `kubernetes:namespace/secret[?key=name]` (one key of a Secret, `record` unless given) or `vault:MOUNT/PATH[?field=NAME]` (an entry of a KV engine of version 2 in HashiCorp Vault or OpenBao, field `record` unless given).",
  }),
  PRESTO_LOCK: variable({
    parse: parseLock,
    fallbackNote: "by the store",
    example: "kubernetes:presto/token",
    meaning:
      "What a renewal is done under, so that no two are under way: `kubernetes:namespace/lease` (a Lease; `kubernetes:` takes that of its Secret's name), or `store` (the record's own intent, by compare-and-set: `vault:` takes that). `file:` has a lock of its own and takes no other. All who issue for one account name the same; commands take it, too.",
  }),
  PRESTO_TOKEN: variable({
    parse: parseToken,
    secret: true,
    example: "the-token-as-presto-gave-it",
    meaning: "The token itself, for `env:`.",
  }),
  PRESTO_TOKEN_FILE: variable({
    parse: parsePath,
    example: "/run/secrets/presto/token",
    meaning: "A file that holds the token, for `env:`; read again when it changes.",
  }),
  PRESTO_STORE_KEY: variable({
    parse: parseKeys,
    secret: true,
    example: "$(presto-sidecar keygen)",
    meaning:
      "Base64 of 32 bytes (`presto-sidecar keygen`), several separated by commas: the first seals, all open. Needed by `file:`, of `PRESTO_STORE` and of `PRESTO_CREDENTIALS`; allowed for `kubernetes:` and `vault:`, which are in the clear without.",
  }),
  PRESTO_STORE_KEY_FILE: variable({
    parse: parsePath,
    example: "/run/secrets/presto/store-key",
    meaning: "A file that holds the same; read again when it changes.",
  }),
  PRESTO_EMAIL: variable({
    parse: parseEmail,
    credential: true,
    secret: true,
    example: "sidecar@institution.example",
    meaning: "E-mail address of the account, for roles that issue.",
  }),
  PRESTO_EMAIL_FILE: variable({
    parse: parsePath,
    credential: true,
    example: "/run/secrets/presto/email",
    meaning: "A file that holds the same; read again when it changes.",
  }),
  PRESTO_PASSWORD: variable({
    parse: parsePassword,
    credential: true,
    secret: true,
    example: "the-password-of-the-account",
    meaning: "Password of the account, for roles that issue.",
  }),
  PRESTO_PASSWORD_FILE: variable({
    parse: parsePath,
    credential: true,
    example: "/run/secrets/presto/password",
    meaning: "A file that holds the same (UTF-8); read again when it changes.",
  }),
  PRESTO_CREDENTIALS: variable({
    parse: parseCredentialAddress,
    credential: true,
    example: "file:/var/lib/presto/credentials",
    meaning:
      "`file:/path` (a sealed file), `kubernetes:namespace/secret[?key=name]` or `vault:MOUNT/PATH[?field=NAME]` (another Secret or entry than the token's): holds e-mail and password, instead of the four above; filled by `presto-sidecar credentials import`, and the only form that `presto-sidecar password reset` can write to.",
  }),
  KUBECONFIG: variable({
    parse: parseKubeconfig,
    fallbackNote: "the Pod's own cluster",
    example: "/home/you/.kube/config",
    meaning:
      "For `kubernetes:` outside of a cluster: one kubeconfig, or several separated by colons, whose current context is taken. In a Pod nothing need be set: `KUBERNETES_SERVICE_HOST` and `KUBERNETES_SERVICE_PORT` stand there, and the service account's token is mounted.",
  }),
  POD_NAMESPACE: variable({
    parse: parseNamespace,
    example: "presto",
    meaning:
      "With `POD_NAME`: the Pod that this process runs in (Kubernetes' downward API), by which those who wait for its lock name it, and the record of `PRESTO_AUDIT`. Without the two a lock is held by its host.",
  }),
  POD_NAME: variable({
    parse: parsePodName,
    example: "presto-rotator-6d8f7c9b5-x2x7k",
    meaning: "See `POD_NAMESPACE`.",
  }),
  PRESTO_TOKEN_NAME: variable({
    parse: parseTokenName,
    fallback: "presto-sidecar",
    example: "presto-sidecar",
    meaning: "Name that a token is asked for with: 1 to 255 characters of visible ASCII.",
    onlyFor: "issuing",
    chart: "rotator",
  }),
  PRESTO_TOKEN_DAYS: variable({
    parse: parseDays,
    fallback: "90",
    example: "30",
    meaning: "Days of life that a token is asked for with, 1 to 3650; rounded up to the next 00:00 UTC.",
    onlyFor: "issuing",
    chart: "rotator",
  }),
  PRESTO_RENEW: variable({
    parse: parseRenew,
    fallback: "auto",
    example: "manual",
    meaning:
      "`manual`: never issues by itself, only when a person asks for it (a change freeze, a stand-by site).",
    onlyFor: "issuing",
    chart: "rotator",
  }),
  PRESTO_RENEW_AT: variable({
    parse: parseFraction,
    fallback: "0.67",
    example: "0.5",
    meaning: "Fraction of a token's life after which it is renewed, with jitter; above 0, at most 1.",
    onlyFor: "issuing",
    chart: "rotator",
  }),
  PRESTO_RENEW_WINDOW: variable({
    parse: parseDayWindow,
    fallbackNote: "any time",
    example: "01:00-04:00",
    meaning:
      "Hours of the day (UTC) in which a token is renewed by plan, unless it would die before they come; `22:00-02:00` goes over midnight.",
    onlyFor: "issuing",
    chart: "rotator",
  }),
};

/** Where a Vault is, and who we are there: for `vault:` places. */
export const vaultVariables = {
  VAULT_ADDR: variable({
    parse: parseVaultText,
    example: "https://vault.example:8200",
    meaning:
      "For `vault:`: where Vault or OpenBao answers, without a path. Plain HTTP to a loopback host only (an agent beside us).",
  }),
  VAULT_NAMESPACE: variable({
    parse: parseVaultText,
    example: "payments",
    meaning: "For `vault:`: the namespace of the entry and of the login.",
  }),
  VAULT_CACERT: variable({
    parse: parseVaultText,
    fallbackNote: "Node's bundled list",
    example: "/etc/vault/ca.pem",
    meaning:
      "For `vault:`: the CA certificates (PEM) that are trusted there, and no others. Read again when it changes. `PRESTO_CA_FILE`, pins and the egress proxy are of Presto's way and mean nothing here.",
  }),
  VAULT_SKIP_VERIFY: variable({
    parse: parseSkipVerify,
    example: "false",
    meaning: "Set true it stops the start: certificates are always verified.",
  }),
  PRESTO_VAULT_AUTH: variable({
    parse: parseVaultMethod,
    fallbackNote: "`token` where one is given, else required",
    example: "kubernetes",
    meaning:
      "How we log in to Vault: `token` (`VAULT_TOKEN`), `approle`, or `kubernetes` (the service account's token, mounted as Kubernetes does by default).",
  }),
  PRESTO_VAULT_MOUNT: variable({
    parse: parseVaultMount,
    fallbackNote: "the method's name",
    example: "kubernetes",
    meaning: "Where that login is mounted, without `auth/`.",
  }),
  PRESTO_VAULT_ROLE: variable({
    parse: parseVaultText,
    example: "presto-proxy",
    meaning: "The role of the `kubernetes` login.",
  }),
  PRESTO_VAULT_ROLE_ID: variable({
    parse: parseVaultText,
    example: "7f0c2c52-0f3e-4a51-9b0e-2f3c9a2b1d10",
    meaning: "The role id of the `approle` login.",
  }),
  PRESTO_VAULT_SECRET_ID: variable({
    parse: parseToken,
    secret: true,
    example: "the-secret-id-as-vault-gave-it",
    meaning: "The secret id of the `approle` login.",
  }),
  PRESTO_VAULT_SECRET_ID_FILE: variable({
    parse: parsePath,
    example: "/run/secrets/vault/secret-id",
    meaning: "A file that holds the same; read at each login.",
  }),
  VAULT_TOKEN: variable({
    parse: parseToken,
    secret: true,
    example: "the-token-as-vault-gave-it",
    meaning: "A token of Vault's that somebody else looks after. It is renewed while that can be done.",
  }),
  VAULT_TOKEN_FILE: variable({
    parse: parsePath,
    example: "/run/secrets/vault/token",
    meaning: "A file that holds the same (an agent's sink); read again when it changes.",
  }),
};
