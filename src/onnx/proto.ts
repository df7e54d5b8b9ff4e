/**
 * The part of the ONNX file format that we write, as a protobuf descriptor.
 * Field numbers are those of onnx.proto (IR version 10); the encoding is protobufjs's work.
 */

import protobuf from 'protobufjs/light.js';

const repeated = (id: number, type: string) => ({ id, type, rule: 'repeated' as const });
const one = (id: number, type: string) => ({ id, type });
/** onnx.proto is proto2, which writes lists of numbers unpacked. */
const list = (id: number, type: string) => ({ ...repeated(id, type), options: { packed: false } });

const root = protobuf.Root.fromJSON({
  nested: {
    Entry: { fields: { key: one(1, 'string'), value: one(2, 'string') } },
    OperatorSet: { fields: { domain: one(1, 'string'), version: one(2, 'int64') } },
    Tensor: {
      fields: {
        dims: list(1, 'int64'),
        dataType: one(2, 'int32'),
        name: one(8, 'string'),
        rawData: one(9, 'bytes'),
        externalData: repeated(13, 'Entry'),
        dataLocation: one(14, 'int32'),
      },
    },
    Attribute: {
      fields: {
        name: one(1, 'string'),
        f: one(2, 'float'),
        i: one(3, 'int64'),
        s: one(4, 'string'), // bytes in onnx.proto, which are the same on the wire
        t: one(5, 'Tensor'),
        floats: list(7, 'float'),
        ints: list(8, 'int64'),
        type: one(20, 'int32'),
      },
    },
    Node: {
      fields: {
        input: repeated(1, 'string'),
        output: repeated(2, 'string'),
        name: one(3, 'string'),
        opType: one(4, 'string'),
        attribute: repeated(5, 'Attribute'),
        domain: one(7, 'string'),
      },
    },
    Dimension: { fields: { dimValue: one(1, 'int64'), dimParam: one(2, 'string') } },
    Shape: { fields: { dim: repeated(1, 'Dimension') } },
    TensorType: { fields: { elemType: one(1, 'int32'), shape: one(2, 'Shape') } },
    Type: { fields: { tensorType: one(1, 'TensorType') } },
    ValueInfo: { fields: { name: one(1, 'string'), type: one(2, 'Type') } },
    Graph: {
      fields: {
        node: repeated(1, 'Node'),
        name: one(2, 'string'),
        initializer: repeated(5, 'Tensor'),
        input: repeated(11, 'ValueInfo'),
        output: repeated(12, 'ValueInfo'),
      },
    },
    Model: {
      fields: {
        irVersion: one(1, 'int64'),
        producerName: one(2, 'string'),
        graph: one(7, 'Graph'),
        opsetImport: repeated(8, 'OperatorSet'),
      },
    },
  },
});

/** TensorProto.DataType */
export const ELEMENT_TYPE = { float32: 1, int32: 6, int64: 7, F32: 1, U8: 2, F16: 10, BF16: 16 } as const;

/** AttributeProto.AttributeType */
export const ATTRIBUTE_TYPE = { float: 1, int: 2, text: 3, ints: 7 } as const;

/** TensorProto.DataLocation */
export const EXTERNAL = 1;

export const IR_VERSION = 10;

/** Serialises a ModelProto given as a plain object of the descriptor's field names. */
export function encodeModel(model: object): Uint8Array {
  const type = root.lookupType('Model');
  return type.encode(type.fromObject(model)).finish();
}
