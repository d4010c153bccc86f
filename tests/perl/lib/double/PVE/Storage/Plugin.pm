package PVE::Storage::Plugin;

# As much of Proxmox VE's PVE::Storage::Plugin as is used here.

use v5.36;

our @SHARED_STORAGE = ('iscsi');

my %plugins;

sub register($class) {
    my $type = $class->type();
    die "duplicate plugin registration (type = $type)" if $plugins{$type};
    $plugins{$type} = $class;
    return;
}

sub lookup($class, $type) {
    return $plugins{$type} // die "unknown section type '$type'\n";
}

1;
