import { BulkheadError } from "#contracts/errors.ts";

/*
 * Everything that is installed, dependencies included, so that the same list gives the same template. Wheels only: nothing is
 * compiled on the host.
 */

const everywhere = [
  "asttokens==3.0.2",
  "decorator==5.3.1",
  "executing==2.3.0",
  "jedi==0.20.1",
  "matplotlib-inline==0.2.2",
  "parso==0.8.7",
  "pexpect==4.9.0",
  "prompt-toolkit==3.0.53",
  "ptyprocess==0.7.0",
  "pure-eval==0.2.4",
  "pygments==2.21.0",
  "stack-data==0.6.3",
  "traitlets==5.16.1",
  "typing-extensions==4.16.0",
  "wcwidth==0.9.4",
  "certifi==2026.10.18",
  "charset-normalizer==3.5.2",
  "cloudpickle==3.1.2",
  "cycler==0.12.1",
  "idna==3.20",
  "joblib==1.6.0",
  "kiwisolver==1.5.1",
  "narwhals==2.29.0",
  "packaging==26.3",
  "plotly==7.1.0",
  "pyparsing==3.3.3",
  "requests==2.34.2",
  "seaborn==0.13.2",
  "threadpoolctl==3.8.0",
  "tzdata==2026.6",
  "urllib3==2.8.0",
];

/** numpy and its kin dropped Python 3.10 in 2025. */
const forPython310 = [
  "contourpy==1.3.2",
  "exceptiongroup==1.3.1",
  "fonttools==4.65.0",
  "ipython==8.39.0",
  "matplotlib==3.10.9",
  "numpy==2.2.6",
  "pandas==2.3.3",
  "pillow==12.3.0",
  "python-dateutil==3.0.0",
  "pytz==2026.6",
  "scikit-learn==1.7.2",
  "scipy==1.15.3",
  "six==1.17.0",
];

const forLaterPythons = [
  "contourpy==1.3.3",
  "fonttools==4.68.0",
  "ipython==9.18.1",
  "ipython-pygments-lexers==1.1.1",
  "matplotlib==3.11.2",
  "numpy==2.4.6",
  "pandas==3.1.1",
  "pillow==13.0.0",
  "psutil==7.2.2",
  "python-dateutil==4.0.0",
  "scikit-learn==1.9.1",
  "scipy==1.17.1",
];

/** "major.minor" to pinned requirements of code-interpreter. */
export function requirementsFor(python: string): readonly string[] {
  const [major = 0, minor = 0] = python.split(".").map(Number);
  if (major === 3 && minor === 10) return [...everywhere, ...forPython310].sort();
  if (major === 3 && minor >= 11) return [...everywhere, ...forLaterPythons].sort();
  throw new BulkheadError(
    "SERVICE_UNAVAILABLE",
    `It needs Python 3.10 or later at /usr/bin/python3; this host has ${python}.`,
  );
}
