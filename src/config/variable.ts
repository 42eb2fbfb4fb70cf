import type { ExactValidator, OptionalValidatorSpec } from "envalid";

/** What is known of a variable besides how it is checked. The README's table is made from it. */
export interface VariableFacts {
  /** Value used where none is given, as a user would write it. */
  readonly fallback?: string;
  /** For the table, where the fallback is not one fixed value. */
  readonly fallbackNote?: string;
  /** A value that would do, as a user would write it. */
  readonly example: string;
  /** One sentence or two in Markdown. */
  readonly meaning: string;
  /** Its value is never shown. */
  readonly secret?: true;
}

/**
 * A row of the table is an envalid spec that knows a little more. All rows are optional to
 * envalid: fallbacks are texts and go through the same check as what a user gives, and
 * what must be there depends on other variables (rules.ts).
 */
export function variable<T>(
  validator: ExactValidator<T>,
  facts: VariableFacts,
): OptionalValidatorSpec<T> & VariableFacts {
  return Object.assign(validator({ default: undefined }), facts);
}
