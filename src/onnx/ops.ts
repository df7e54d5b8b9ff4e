/**
 * The operators our graphs use. Everything that treats operators one by one (building, gradients)
 * is a table over `OpName`, so that a new operator does not compile until each of them knows it.
 */

/** With their domain: '' is the ONNX standard, com.microsoft are onnxruntime's own. */
export const OPS = {
  Add: '',
  Cast: '',
  Concat: '',
  Div: '',
  Erf: '',
  Exp: '',
  Expand: '',
  Gather: '',
  Gelu: '',
  Gemm: '',
  Log: '',
  MatMul: '',
  MatMulNBits: 'com.microsoft',
  Mul: '',
  Neg: '',
  ReduceMax: '',
  ReduceMean: '',
  ReduceSum: '',
  Reshape: '',
  RotaryEmbedding: '',
  ScatterND: '',
  Sigmoid: '',
  SimplifiedLayerNormalization: '',
  Softmax: '',
  Split: '',
  Sqrt: '',
  Sub: '',
  Transpose: '',
} as const;

export type OpName = keyof typeof OPS;

export type AttributeValue = number | readonly number[] | { float: number } | { text: string };

/** RotaryEmbedding entered the standard with opset 23. */
export const OPSETS = [
  { domain: '', version: 23 },
  { domain: 'com.microsoft', version: 1 },
];
