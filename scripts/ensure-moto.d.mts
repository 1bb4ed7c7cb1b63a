/** Version of moto that the tests were written against. */
export const motoVersion: string;
/** @returns the Python of a virtual environment that has moto. @throws Error that says what is missing and how to get it */
export function ensureMoto(say?: (line: string) => void): Promise<string>;
