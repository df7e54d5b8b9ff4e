/** Written by scripts/calibrate.ts; see ./calibration.ts. */

export const CALIBRATED = {
  date: '2026-11-30',
  maps: 4,
  versions: {
    causality: 1,
    dependence: 1,
    faithfulness: 1,
  },
  tests: {
    zero: {
      carrying: 0.319,
      bypassed: 1.87e-15,
    },
    noise: {
      carrying: 0.619,
      bypassed: 2.33e-15,
    },
    mean: {
      carrying: 0.304,
      bypassed: 2.92e-15,
    },
    shuffle: {
      carrying: 0.0433,
      bypassed: 3.2e-15,
    },
    oracle: {
      carrying: 0.536,
      bypassed: 1.75e-15,
    },
    dummy: {
      carrying: 2.32,
      bypassed: 1.63e-15,
    },
    markers: {
      carrying: 1.54,
      bypassed: 1.98e-15,
    },
    none: {
      carrying: 2.81,
      bypassed: 1.23,
    },
    blurred: {
      carrying: 0.152,
      bypassed: 0,
    },
    grey: {
      carrying: 0.0592,
      bypassed: 0,
    },
    masked: {
      carrying: 0.0898,
      bypassed: 0,
    },
    mirrored: {
      carrying: 0.817,
      bypassed: 0,
    },
    faithfulness: {
      carrying: 6.83,
      bypassed: 9.13e-11,
    },
    swap: {
      carrying: 1,
      bypassed: 2.4e-15,
    },
  },
};
