# The image of a training job's launcher and workers: Node.js, Open MPI, ssh between the pods, and the command.
FROM node:24-bookworm-slim
RUN apt-get update \
  && apt-get install -y --no-install-recommends openmpi-bin libopenmpi3 openssh-server openssh-client ffmpeg \
  && rm -rf /var/lib/apt/lists/* \
  && mkdir -p /run/sshd
# onnxruntime-node would fetch CUDA otherwise.
ENV ONNXRUNTIME_NODE_INSTALL=skip
RUN npm install --global @emosllm/trainer koffi
# The MPI operator logs in as this user.
RUN useradd --create-home --uid 1001 mpiuser \
  && sed -i 's/#\(StrictModes\).*/\1 no/; s/#\?\(Port\).*/\1 2222/' /etc/ssh/sshd_config
USER mpiuser
EXPOSE 2222
CMD ["/usr/sbin/sshd", "-De"]
