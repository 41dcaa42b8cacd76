# The programs that setup fetches. Hashes of the sing-box wheels are in sing-box.txt.
NODE_VERSION=24.21.0
PNPM_VERSION=12.21.0
SING_BOX_VERSION=1.14.4
SING_BOX_OLDER="1.12.23 1.13.21"
