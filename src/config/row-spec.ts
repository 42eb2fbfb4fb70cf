import { makeExactValidator, type OptionalValidatorSpec } from "envalid";

import type { VariableRow } from "./variable.ts";

/**
 * Makes a row an envalid spec, which is where the types of all values come from. To envalid every
 * row is optional: a default is a text that goes through the same check as what a user gives,
 * and what must be there depends on other variables (rules.ts). Alone in its file, because a
 * health check reads two rows and loads no envalid.
 */
export function variable<T>(row: VariableRow<T>): OptionalValidatorSpec<T> & VariableRow<T> {
  return { ...makeExactValidator(row.parse)({ default: undefined }), ...row };
}
