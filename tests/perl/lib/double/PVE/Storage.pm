package PVE::Storage;

# As much of Proxmox VE's PVE::Storage as is used here.

use v5.36;

our $ids = {};

sub APIVER() { return 15 }

sub config() {
    return { ids => $ids };
}

1;
