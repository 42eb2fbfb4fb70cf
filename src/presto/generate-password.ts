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
