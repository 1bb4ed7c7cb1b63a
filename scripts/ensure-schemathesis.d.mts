/** @returns the Python that has schemathesis, installed from PyPI where it is missing */
export function ensureSchemathesis(say?: (line: string) => void): Promise<string>;
