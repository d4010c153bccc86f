package PVE::RS::Multipath;

=head1 NAME

PVE::RS::Multipath - base module of the Perl bindings of pve-multipath

=head1 SYNOPSIS

    package PVE::RS::Multipath::Something;

    use base 'PVE::RS::Multipath';

    BEGIN { __PACKAGE__->bootstrap(); }

    1;

=head1 DESCRIPTION

Loads F<libpve_multipath_perl.so> once and provides the method C<bootstrap> for the packages below
this one, which installs the functions that the library exports for them. The library is searched in
the directories of LD_LIBRARY_PATH and in F<auto/> of each directory of C<@INC>.

=cut

use strict;
use warnings;

use DynaLoader ();

my $handle;

sub library { return 'pve_multipath_perl' }

sub find_library {
    my ($class, $file) = @_;

    my @dirs = grep { length } split(/:/, $ENV{LD_LIBRARY_PATH} // '');
    push @dirs, map { "$_/auto" } grep { !ref } @INC;

    for my $dir (@dirs) {
        return "$dir/$file" if -f "$dir/$file";
    }
    return undef;
}

sub load {
    my ($class) = @_;

    return if defined($handle);

    my $file = 'lib' . $class->library() . '.so';
    my $path = $class->find_library($file)
        or die "cannot find $file - please install 'libpve-multipath-perl'"
        . " (in the source tree: run 'make build', then 'eval \"\$(make -s env)\"')\n";

    $handle = DynaLoader::dl_load_file($path, 0);
    if (!defined($handle)) {
        # it ends in the position in this file and a NUL
        my $reason = (DynaLoader::dl_error() // 'unknown error') =~ s/ at \S+ line \d+\..*//sr;
        die "cannot load the library: $reason\n";
    }

    return;
}

sub bootstrap {
    my ($class) = @_;

    my $name = 'boot_' . ($class =~ s/::/__/gr);
    my $symbol = DynaLoader::dl_find_symbol($handle, $name)
        or die 'lib'
        . $class->library()
        . ".so has no package '$class' - it belongs to another version of these modules\n";

    DynaLoader::dl_install_xsub($name, $symbol, __FILE__)->();

    return;
}

BEGIN {
    __PACKAGE__->load();
    __PACKAGE__->bootstrap();
}

1;
