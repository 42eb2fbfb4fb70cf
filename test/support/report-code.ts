/** Tells on standard error, of every file of the program that is loaded, whether V8's code beside it was taken. */
const code = `
  import vm from "node:vm";
  vm.Script = class extends vm.Script {
    constructor(text, options) {
      super(text, options);
      const how = options.cachedData === undefined ? "missing" : this.cachedDataRejected ? "rejected" : "taken";
      process.stderr.write("code: " + how + "\\n");
    }
  };`;

/** Arguments for Node, before the program's file. */
export const reportCode: readonly string[] = ["--import", `data:text/javascript,${encodeURIComponent(code)}`];

/** What it told, each file's once. */
export function codeReports(err: string): readonly string[] {
  return err.split("\n").filter((line) => line.startsWith("code: "));
}
