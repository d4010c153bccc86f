package PVE::JSONSchema;

# As much of Proxmox VE's PVE::JSONSchema as is used here.

use v5.36;

use Exporter qw(import);

our @EXPORT_OK = qw(get_standard_option);

sub get_standard_option($name, $more = {}) {
    my $optional = $name eq 'pve-config-digest' ? 1 : 0;
    return { type => 'string', description => $name, optional => $optional, %$more };
}

1;
