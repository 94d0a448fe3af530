/**
 * @file To be imported before onnxruntime-node. Its official builds, from 1.29 on, tell Microsoft about processes and models unless told not to:
 * a device id and a queue of events are written below the home folder and sent. `ORT_DISABLE_TELEMETRY=0` in the environment leaves it as it is.
 */
process.env["ORT_DISABLE_TELEMETRY"] ??= "1";
