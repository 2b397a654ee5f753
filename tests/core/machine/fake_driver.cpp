// The functions of NVIDIA's driver API that are asked for, with made-up answers.
#include <cstddef>
#include <cstdio>

extern "C" {

int cuDriverGetVersion(int* version) {
  *version = 13000;
  return 0;
}

int cuInit(unsigned) {
#ifdef FAKE_BROKEN
  return 999;
#else
  return 0;
#endif
}

int cuDeviceGetCount(int* count) {
#ifdef FAKE_TWO_GPUS
  *count = 2;
#else
  *count = 0;
#endif
  return 0;
}

int cuDeviceGet(int* device, int index) {
  *device = index + 10;
  return 0;
}

int cuDeviceGetName(char* name, int length, int device) {
  std::snprintf(name, static_cast<std::size_t>(length), "GPU %d", device);
  return 0;
}

int cuDeviceTotalMem_v2(std::size_t* bytes, int device) {
  *bytes = static_cast<std::size_t>(device) << 30;
  return 0;
}

int cuDeviceGetAttribute(int* value, int attribute, int) {
  *value = attribute == 75 ? 9 : attribute == 76 ? 1 : -1;
  return 0;
}

int cuGetErrorName(int error, const char** name) {
  *name = error == 999 ? "CUDA_ERROR_UNKNOWN" : nullptr;
  return error == 999 ? 0 : 1;
}

int ncclGetVersion(int* version) {
  *version = 22809;
  return 0;
}
}
