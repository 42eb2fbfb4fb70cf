/**
 * Where V8's code of a file stands. V8 has flags in it, so there is one for the image, which is started with that
 * flag, and one for whoever starts the program without.
 */
export function codeFile(filename: string): string {
  return `${filename}.${process.execArgv.includes("--max-semi-space-size=4") ? "small" : "plain"}.code`;
}
