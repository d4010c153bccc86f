#!/usr/bin/perl

# All modules load without Proxmox VE, with only perl and the library, and the loader reports a library
# that is missing or of another version.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Find ();
use File::Temp qw(tempdir);
use Test::More;

use MultipathTest qw($root spew cli);

my @modules;
File::Find::find(
    sub {
        push @modules, $File::Find::name =~ s!^\Q$root\E/perl/!!r if m/\.pm\z/;
    },
    "$root/perl/PVE",
);

# These stand on Proxmox VE's own modules.
my $needs_pve = qr!^PVE/(?:API2|CLI|Service|Storage)/|/ClusterConfig\.pm\z!;

for my $module (sort grep { !m/$needs_pve/ } @modules) {
    my $package = $module =~ s!/!::!gr =~ s/\.pm\z//r;
    my $code = 'my @pve = grep { m!^PVE/! && !m!^PVE/(?:RS/)?Multipath! } keys %INC; print "@pve"';
    my $out = qx{$^X -w -M$package -e '$code' 2>&1};
    is($?, 0, "$package loads") or diag($out);
    is($out, '', "$package loads quietly and without Proxmox VE");
}

# The loader, away from the library.
my $empty = tempdir(CLEANUP => 1);

my sub run_perl(@args) {
    local $ENV{PERL5LIB} = "$root/perl:$empty";
    delete local $ENV{LD_LIBRARY_PATH};
    my $pid = open(my $fh, '-|') // die "cannot fork - $!\n";
    if ($pid == 0) {
        open(STDERR, '>&', \*STDOUT);
        exec($^X, @args);
    }
    my $text = do { local $/ = undef; <$fh> // '' };
    close($fh);
    return ($? >> 8, $text);
}

my ($code, $text) = run_perl('-MPVE::Multipath', '-e1');
isnt($code, 0, 'no library is an error');
like($text, qr/^cannot find libpve_multipath_perl\.so/, 'and it is named');
like($text, qr/install 'libpve-multipath-perl'/, 'with the package to install');
like($text, qr/make build/, 'and what to do in the source tree');

($code, $text) = run_perl("$root/perl/bin/pvemultipath", '--version');
is($code, 3, 'the command line ends with 3 then');
like($text, qr/\Aerror: cannot find [^\n]*\n\z/, 'in one line');

mkdir("$empty/auto");
spew("$empty/auto/libpve_multipath_perl.so", 'no library');
($code, $text) = run_perl('-MPVE::Multipath', '-e1');
isnt($code, 0, 'a broken library is an error');
like(
    $text, qr!\Acannot load the library: \S+/libpve_multipath_perl\.so: [\w ]+\n!,
    'and the reason is given',
);

# A library of another version.
my $other = tempdir(CLEANUP => 1);
mkdir("$other/PVE");
mkdir("$other/PVE/RS");
spew("$other/PVE/RS/Multipath.pm", <<'PERL');
package PVE::RS::Multipath;
sub version { '0.0.9' }
sub bootstrap { }
1;
PERL
($code, $text) = run_perl("-I$other", '-MPVE::Multipath', '-e1');
isnt($code, 0, 'a library of another version is refused');
like($text, qr/is version 0\.0\.9, but PVE::Multipath is version 0\.1\.0/, 'with both versions');

# Daemons of Proxmox VE run in taint mode.
my $inc = join(' ', map { "-I$_" } grep { !ref } @INC);
my $out = qx{$^X -T $inc -MPVE::Multipath -e 'print PVE::RS::Multipath::version()' 2>&1};
is($out, '0.1.0', 'loads in taint mode');

done_testing();
