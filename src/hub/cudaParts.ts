/**
 * What CUDA takes beside the GPU's driver, as published on PyPI: the runtime's provider in the version of its Node package, and
 * NVIDIA's libraries that this provider is linked to. Address, length and checksum stand here, so that no list is asked for and
 * no server can give anything else.
 */

import type { HubFile } from './listing.ts';

/** Where PyPI keeps its files. */
export const CUDA_ENDPOINT = 'https://files.pythonhosted.org';

/** A wheel, and which of its files are wanted: member → length when unpacked. */
export interface CudaPart extends HubFile {
  /** For people: "onnxruntime-gpu 1.30.0". */
  title: string;
  /** Of the address, before the name. */
  path: string;
  members: Readonly<Record<string, number>>;
}

const sha256 = (hex: string): HubFile['digest'] => ({ kind: 'sha256', hex });

/** Of linux-x64. The provider's own first, as nothing else is of use without it. */
export const CUDA_PARTS: readonly CudaPart[] = [
  {
    title: 'onnxruntime-gpu 1.30.0',
    name: 'onnxruntime_gpu-1.30.0-cp311-cp311-manylinux_2_28_x86_64.whl',
    path: 'packages/ea/71/b225bd559a718f6cefb058d4f4c4c95e556543f47d4be0e81819681ac347',
    bytes: 246_658_419,
    digest: sha256('4fbf0c5d7b5fb99266c2e8a802e3e64af68bdc383e0f3c7349b985f1087eedaa'),
    members: {
      'onnxruntime/capi/libonnxruntime_providers_shared.so': 14_632,
      'onnxruntime/capi/libonnxruntime_providers_cuda.so': 272_049_904,
    },
  },
  {
    title: 'nvidia-cuda-runtime 13.5.37',
    name: 'nvidia_cuda_runtime-13.5.37-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl',
    path: 'packages/0b/7c/14b8f5518f8951e9dca57ea80f44f8ea8bcc8671812e6cc38009f3205e57',
    bytes: 2_504_024,
    digest: sha256('df2b79a8852f10d1fef8c848489c49eebb5754051bf870202a862831412b179d'),
    members: { 'nvidia/cu13/lib/libcudart.so.13': 806_720 },
  },
  {
    title: 'nvidia-curand 10.4.5.25',
    name: 'nvidia_curand-10.4.5.25-py3-none-manylinux_2_27_x86_64.whl',
    path: 'packages/12/63/636e5dc9afb2959bfc0042a357d5567358df829b66c96d9fc36d77dc0596',
    bytes: 77_113_015,
    digest: sha256('22bb226a857e5888fe6b54ae465fc4371296bcff13a35f79e19691bcf454f529'),
    members: { 'nvidia/cu13/lib/libcurand.so.10': 104_860_296 },
  },
  {
    title: 'nvidia-cublas 13.10.0.20',
    name: 'nvidia_cublas-13.10.0.20-py3-none-manylinux1_x86_64.manylinux_2_5_x86_64.whl',
    path: 'packages/b4/12/16628161ed8c109c8c73b38167df50cbc630a8a6e6548e2534d461526c3c',
    bytes: 444_289_903,
    digest: sha256('dcc6d63884c53d07e267ce7e6feac17b2538cebaafec5db865736c3e28e4dc84'),
    members: {
      'nvidia/cu13/lib/libcublas.so.13': 57_282_152,
      'nvidia/cu13/lib/libcublasLt.so.13': 551_653_208,
    },
  },
];
