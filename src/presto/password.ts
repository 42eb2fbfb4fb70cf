import { randomInt } from "node:crypto";

import { Secret } from "../secret.ts";

// Without those that are taken for one another on paper: I, l, O, 0, 1.
const upper = "ABCDEFGHJKLMNPQRSTUVWXYZ";
const lower = "abcdefghijkmnopqrstuvwxyz";
const digits = "23456789";
/** None of them means anything to a shell, a URL's path or a JSON text. */
const special = "-_.+=:@";
const letters = upper + lower;
const all = letters + digits + special;

const length = 32;

/**
 * A new password: 32 characters, about 180 bits, one of each kind at least. It begins with a
 * letter, so that no program takes it for an option.
 * @param below an integer of 0 or more and below its argument, each as likely as the others
 */
export function generatePassword(below: (bound: number) => number = randomInt): Secret {
  const pick = (from: string): string => from.charAt(below(from.length));
  const rest = [upper, lower, digits, special].map(pick);
  while (rest.length < length - 1) rest.push(pick(all));
  // Fisher and Yates: every order is as likely as the others.
  for (let end = rest.length - 1; end > 0; end--) {
    const chosen = below(end + 1);
    [rest[end], rest[chosen]] = [rest[chosen] ?? "", rest[end] ?? ""];
  }
  return new Secret(pick(letters) + rest.join(""));
}

/** A rule for a new password that it breaks. */
export interface BrokenRule {
  readonly code: "length" | "upper" | "lower" | "digit" | "special" | "text";
  /** What is wrong, as a sentence without anything of the password. */
  readonly sentence: string;
}

interface Rule extends BrokenRule {
  readonly kept: (password: string) => boolean;
}

const matches =
  (pattern: RegExp) =>
  (password: string): boolean =>
    pattern.test(password);

const rules: readonly Rule[] = [
  // In characters, not in UTF-16 units.
  { code: "length", kept: matches(/^.{8,}$/su), sentence: "It has fewer than 8 characters." },
  { code: "upper", kept: matches(/\p{Lu}/u), sentence: "It has no upper-case letter." },
  { code: "lower", kept: matches(/\p{Ll}/u), sentence: "It has no lower-case letter." },
  { code: "digit", kept: matches(/\p{Nd}/u), sentence: "It has no digit." },
  {
    code: "special",
    kept: matches(/[^\p{L}\p{M}\p{N}\p{Z}\p{C}]/u),
    sentence: "It has no special character, such as ! or -.",
  },
  {
    // Not Presto's rule. Servers trim some fields and not others, and half a surrogate pair becomes another
    // character on its way: the password that is set would not be the one that is kept.
    code: "text",
    kept: (password) => password.isWellFormed() && password.trim() === password && !/\p{Cc}/u.test(password),
    sentence: "It begins or ends with a space, or holds a control character or half of a character.",
  },
];

/**
 * The rules that the API has for a new password, checked before it is sent: at least 8
 * characters, with upper case, lower case, a digit and a special character.
 * @returns every rule that it breaks; none where it may be sent
 */
export function brokenPasswordRules(password: Secret): readonly BrokenRule[] {
  const text = password.reveal();
  return rules.filter(({ kept }) => !kept(text)).map(({ code, sentence }) => ({ code, sentence }));
}
