#!/usr/bin/perl

# What interrupts `pvemultipath apply`, or comes right after it: a loss of power, and a kill while multipath
# is at work. The next one ends where an undisturbed one would, and what others have put there stays.

use v5.36;

use Fcntl qw(F_SETLK F_WRLCK SEEK_SET);
use Test::More;

use MachineTest qw(
    $san_a $san_b $san_c $san_e run must slurp spew eventually boots lose_power
    kernel_maps daemon_maps wwids install_package configure apply
);

my $first = "wwid: $san_a\n\talias san-a\n\nwwid: $san_b\n\talias san-b\n\n";
my $second = "wwid: $san_b\n\talias the-other\n\nwwid: $san_c\n\n";

my sub our_files() {
    return [glob('/etc/multipath/conf.d/* /var/lib/pve-multipath/* /run/pve-multipath/*')];
}

# --- the first boot ---

if (boots() == 0) {
    install_package();
    must('multipath', '-a', $san_e);
    must('sync');

    configure($first);
    is(apply()->{code}, 0, 'two LUNs are configured and applied');
    must('sync');
    lose_power();
}

# --- after a loss of power later on ---

if (boots() == 1) {
    is(-e '/etc/pve/.version' ? 1 : 0, 0, 'the machine has lost its power and boots, its cluster file system is not there yet');
    my $maps = { $san_a => 'san-a', $san_b => 'san-b', $san_e => $san_e };
    eventually(\&kernel_maps, $maps, '... all maps come back under their names');
    configure($first);
    is(run('pvemultipath', 'plan')->{code}, 0, '... there is nothing to apply');

    configure($second);
    is(apply()->{code}, 0, 'one LUN goes, another comes, and the third has another alias');
    lose_power();
}

# --- after a loss of power right after apply ---

configure($second);
is(apply()->{code}, 0, 'the machine loses its power right after that, then the configuration is applied again');
eventually(
    \&kernel_maps,
    { $san_b => 'the-other', $san_c => $san_c, $san_e => $san_e },
    '... the maps are those of the configuration, and the own one',
);
is_deeply(wwids(), [$san_b, $san_c, $san_e], '... and so is the node\'s allow-list');

# --- killed while multipath adds a LUN ---

my sub start(@command) {
    my $pid = fork() // die "cannot fork - $!\n";
    return $pid if $pid;
    open(STDOUT, '>', '/dev/null');
    exec(@command);
    die "cannot execute $command[0] - $!\n";
}

my sub adding() {
    return grep { (eval { slurp($_) } // '') =~ m/multipath\x{0}-a\x{0}$san_a\x{0}/ } glob('/proc/[0-9]*/cmdline');
}

# Whoever has this lock lets multipath wait.
open(my $lock, '+<', '/etc/multipath/wwids') or die "cannot open /etc/multipath/wwids - $!\n";
my $whole_file = pack('s s x4 q q l x4', F_WRLCK, SEEK_SET, 0, 0, 0);
fcntl($lock, F_SETLK, $whole_file) or die "cannot lock it - $!\n";

configure("wwid: $san_a\n\n$second");
my $killed = start('pvemultipath', 'apply');
eventually(sub() { scalar(adding()) }, 1, 'multipath is about to add a LUN');
kill('KILL', $killed);
waitpid($killed, 0);
configure('');
my $next = start('pvemultipath', 'apply');
sleep(3);
is(scalar(adding()), 1, '... it is still at it when apply was killed, and a second apply has an empty configuration');
close($lock);
waitpid($next, 0);
is($?, 0, '... the second one succeeds');
eventually(sub() { scalar(adding()) }, 0, '... multipath has ended');
is_deeply(wwids(), [$san_e], '... the node\'s allow-list has its own entry, and only that');
is_deeply(our_files(), [], '... none of our files is left');

done_testing();
