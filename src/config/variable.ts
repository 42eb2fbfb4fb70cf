/** A default that comes from what another variable says. */
export interface DerivedDefault {
  /** Name of the other variable. */
  readonly from: string;
  /**
   * What this variable then says, as a user would write it.
   * @param text what the other says
   * @throws InvalidValue where the other can't say that
   */
  readonly derive: (text: string) => string;
  /** For the tables of the documents. */
  readonly note: string;
}

/**
 * A row of the table of variables: all that is known of one. `check`, the tables of the documents,
 * the messages, the rules about roles and the chart's schema are made from it.
 *
 * Knows nothing of envalid, nor of the table: a health check reads two rows, and must start fast.
 */
export interface VariableRow<T> {
  /**
   * Reads its text.
   * @throws InvalidValue
   */
  readonly parse: (text: string) => T;
  /** Value used where none is given, as a user would write it; one that depends on another variable is `derived`. */
  readonly fallback?: string;
  readonly derived?: DerivedDefault;
  /** For the tables, where no value is used unless one is given, and more is to be said than that. */
  readonly fallbackNote?: string;
  /** A value that would do, as a user would write it. */
  readonly example: string;
  /** One sentence or two in Markdown. */
  readonly meaning: string;
  /** Its value is never shown. A name with `_FILE` behind it is the other form of a secret. */
  readonly secret?: true;
  /** The account's credentials, or a way to them: the role that can't issue must not hold it. */
  readonly credential?: true;
  /** Does nothing in a role that does not do this. */
  readonly onlyFor?: "issuing" | "serving";
  /**
   * Where the Helm chart takes it: by its own name under `env`, or under `rotator.env` for the rotators alone;
   * or as the chart's value `url`. Without, the chart sets it itself or refuses it.
   */
  readonly chart?: "env" | "rotator" | "url";
  /** Where the chart takes less than `parse` does: a regular expression, and a sentence that says why. */
  readonly chartLimit?: { readonly pattern: string; readonly reason: string };
}
