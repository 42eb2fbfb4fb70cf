import type { Account, IssuedToken } from "./account.ts";
import type { Form } from "./form.ts";
import { invalidReply, jsonReply, messageReply, type Reply, timeText } from "./reply.ts";

/** What the two auth endpoints act on. */
export interface AuthContext {
  readonly account: Account;
  /** Wall clock, milliseconds since 1970. */
  readonly now: () => number;
  /** Whether a password reset kills the live token: the docs leave it open. */
  readonly resetRevokesToken: () => boolean;
}

/** `POST …/auth/token/issue`: kills every earlier token, unless it is refused. */
export function issueToken(form: Form, { account, now }: AuthContext): Reply {
  const email = readEmail(form);
  const password = form.text("password");
  const name = form.text("token_name");
  if (name.length > 255)
    form.refuse("token_name", "The token name field must not be greater than 255 characters.");
  const expiresAt = readExpiry(form, now());
  const errors = form.errors();
  if (errors !== undefined) return invalidReply(errors);
  if (!account.accepts(email, password)) return messageReply(401, "Invalid email or password");
  return jsonReply(200, { data: tokenJson(account.issue({ name, expiresAt })) });
}

/** A token as the API shows it. */
export function tokenJson(issued: IssuedToken): object {
  return {
    token: issued.token,
    token_name: issued.name,
    expiration_date: timeText(issued.expiresAt),
    created_at: timeText(issued.createdAt),
  };
}

/**
 * Reads `token_expiration_date`: `YYYY-MM-DD`, after today (UTC). Gives the moment at which
 * the token dies, 00:00 UTC *of* that day; NaN where the field was refused.
 */
export function readExpiry(form: Form, now: number): number {
  const text = form.text("token_expiration_date");
  const expiresAt = /^\d{4}-\d\d-\d\d$/.test(text) ? Date.parse(`${text}T00:00:00Z`) : Number.NaN;
  // Date.parse refuses most days that do not exist, and lets some roll over into the next month.
  if (Number.isNaN(expiresAt) || new Date(expiresAt).toISOString().slice(0, 10) !== text) {
    form.refuse("token_expiration_date", "The token expiration date field must match the format Y-m-d.");
    return Number.NaN;
  }
  if (expiresAt <= now) {
    form.refuse("token_expiration_date", "The token expiration date field must be a date after today.");
  }
  return expiresAt;
}

const passwordRules: readonly [RegExp, string][] = [
  [/^.{8,}$/su, "must be at least 8 characters"],
  [/\p{Lu}/u, "must contain at least one uppercase letter"],
  [/\p{Ll}/u, "must contain at least one lowercase letter"],
  [/\p{N}/u, "must contain at least one number"],
  [/[^\p{L}\p{N}\s]/u, "must contain at least one special character"],
];

/** `POST …/auth/password/reset`. */
export function resetPassword(form: Form, { account, now, resetRevokesToken }: AuthContext): Reply {
  const email = readEmail(form);
  const current = form.text("current_password");
  const password = form.text("new_password");
  for (const [rule, what] of passwordRules) {
    if (!rule.test(password)) form.refuse("new_password", `The new password field ${what}.`);
  }
  const errors = form.errors();
  if (errors !== undefined) return invalidReply(errors);
  if (!account.accepts(email, current)) return messageReply(401, "Invalid email or current password");
  account.setPassword(password);
  if (resetRevokesToken()) account.revoke();
  return jsonReply(200, { message: "Password reset successfully", data: { updated_at: timeText(now()) } });
}

function readEmail(form: Form): string {
  const email = form.text("email");
  if (!/^[^@\s]+@[^@\s]+$/.test(email))
    form.refuse("email", "The email field must be a valid email address.");
  return email;
}
