package PVE::Storage::Custom::MultipathPlugin;

# For a stock pve-storage, which loads plugins of others from this folder. Nothing in here may die:
# without storages, a node is without guests.

use v5.36;

use base qw(PVE::Storage::MultipathPlugin);

# The newest version of the storage API that this was tried with, and the oldest that has all of what is used.
my $NEWEST = 15;
my $OLDEST = 9;

sub api {
    my $present = eval { PVE::Storage::APIVER() } // $NEWEST;
    return $present >= $OLDEST && $present <= $NEWEST ? $present : $NEWEST;
}

# A pve-storage with the plugin built in needs no other one.
sub register($class) {
    return if eval { PVE::Storage::Plugin->lookup($class->type()); 1 };
    return $class->SUPER::register();
}

1;
